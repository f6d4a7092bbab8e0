<?xml version="1.0" encoding="UTF-8"?>
<!-- 操作: 新增, 修改, 取消. 收费: 已收费, 团检 (a company pays for all its people), 未收费 (held until it is paid). -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/申请">
    <xsl:variable name="number" select="normalize-space(申请单号)"/>
    <Request>
      <Header>
        <MessageId><xsl:value-of select="normalize-space(消息号)"/></MessageId>
        <BranchCode><xsl:value-of select="normalize-space(院区)"/></BranchCode>
      </Header>
      <Action>
        <xsl:choose>
          <xsl:when test="normalize-space(操作) = '修改'">UPDATE</xsl:when>
          <xsl:when test="normalize-space(操作) = '取消'">CANCEL</xsl:when>
          <xsl:otherwise>NEW</xsl:otherwise>
        </xsl:choose>
      </Action>
      <RequisitionNo><xsl:value-of select="$number"/></RequisitionNo>
      <RequisitionType>EXAM</RequisitionType>
      <xsl:apply-templates select="客人"/>
      <Visit><VisitType>9</VisitType><VisitNo><xsl:value-of select="normalize-space(体检号)"/></VisitNo></Visit>
      <ReleaseEvent>
        <xsl:choose>
          <xsl:when test="normalize-space(收费) = '已收费'">PAID</xsl:when>
          <xsl:when test="normalize-space(收费) = '团检'">HEALTH_CHECK</xsl:when>
        </xsl:choose>
      </ReleaseEvent>
      <PaidAt><xsl:value-of select="g:iso(收费时间)"/></PaidAt>
      <ReceiptNo><xsl:value-of select="normalize-space(收据号)"/></ReceiptNo>
      <Priority>ROUTINE</Priority>
      <OrderingDeptCode><xsl:value-of select="normalize-space(科室)"/></OrderingDeptCode>
      <OrderingDoctorCode><xsl:value-of select="normalize-space(医生工号)"/></OrderingDoctorCode>
      <OrderingDoctorName><xsl:value-of select="医生"/></OrderingDoctorName>
      <OrderedAt><xsl:value-of select="g:iso(申请时间)"/></OrderedAt>
      <PerformDeptCode><xsl:value-of select="normalize-space(执行科室)"/></PerformDeptCode>
      <Items>
        <xsl:for-each select="项目">
          <Item>
            <ItemSeq><xsl:value-of select="position()"/></ItemSeq>
            <OrderNo><xsl:value-of select="concat($number, '-', position())"/></OrderNo>
            <ItemCode><xsl:value-of select="normalize-space(编码)"/></ItemCode>
            <ItemName><xsl:value-of select="名称"/></ItemName>
            <Quantity><xsl:value-of select="normalize-space(数量)"/></Quantity>
          </Item>
        </xsl:for-each>
      </Items>
      <CancelReason><xsl:value-of select="原因"/></CancelReason>
    </Request>
  </xsl:template>

  <xsl:template match="客人">
    <Patient>
      <PatientId><xsl:value-of select="normalize-space(编号)"/></PatientId>
      <PatientName><xsl:value-of select="姓名"/></PatientName>
      <SexCode>
        <xsl:choose>
          <xsl:when test="normalize-space(性别) = '男'">1</xsl:when>
          <xsl:when test="normalize-space(性别) = '女'">2</xsl:when>
          <xsl:otherwise>9</xsl:otherwise>
        </xsl:choose>
      </SexCode>
      <BirthDate><xsl:value-of select="g:iso-date(出生日期)"/></BirthDate>
    </Patient>
  </xsl:template>
</xsl:stylesheet>
