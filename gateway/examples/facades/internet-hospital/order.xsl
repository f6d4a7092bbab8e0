<?xml version="1.0" encoding="UTF-8"?>
<!-- An order online is paid there; one that is not is held until it comes again with paid: true. Its user id becomes the PatientId,
     the empi says who that is in the hospital. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Json">
    <Request>
      <Header>
        <MessageId><xsl:value-of select="normalize-space(msgId)"/></MessageId>
        <BranchCode><xsl:value-of select="normalize-space(branch)"/></BranchCode>
      </Header>
      <Action>NEW</Action>
      <RequisitionNo><xsl:value-of select="normalize-space(orderNo)"/></RequisitionNo>
      <RequisitionType>EXAM</RequisitionType>
      <Patient>
        <PatientId><xsl:value-of select="normalize-space(user/id)"/></PatientId>
        <EmpiId><xsl:value-of select="normalize-space(user/empi)"/></EmpiId>
        <PatientName><xsl:value-of select="user/name"/></PatientName>
        <SexCode><xsl:value-of select="normalize-space(user/sex)"/></SexCode>
        <BirthDate><xsl:value-of select="g:iso-date(user/birthday)"/></BirthDate>
      </Patient>
      <Visit><VisitType>1</VisitType><VisitNo><xsl:value-of select="normalize-space(visitNo)"/></VisitNo></Visit>
      <ReleaseEvent><xsl:if test="paid = 'true'">PAID</xsl:if></ReleaseEvent>
      <PaidAt><xsl:value-of select="g:iso(payTime)"/></PaidAt>
      <ReceiptNo><xsl:value-of select="normalize-space(payNo)"/></ReceiptNo>
      <Priority>ROUTINE</Priority>
      <OrderingDeptCode><xsl:value-of select="normalize-space(doctor/dept)"/></OrderingDeptCode>
      <OrderingDoctorCode><xsl:value-of select="normalize-space(doctor/id)"/></OrderingDoctorCode>
      <OrderingDoctorName><xsl:value-of select="doctor/name"/></OrderingDoctorName>
      <OrderedAt><xsl:value-of select="g:iso(orderTime)"/></OrderedAt>
      <PerformDeptCode><xsl:value-of select="normalize-space(performDept)"/></PerformDeptCode>
      <Items>
        <xsl:for-each select="items">
          <Item>
            <ItemSeq><xsl:value-of select="position()"/></ItemSeq>
            <OrderNo><xsl:value-of select="concat(normalize-space(/Json/orderNo), '-', position())"/></OrderNo>
            <ItemCode><xsl:value-of select="normalize-space(code)"/></ItemCode>
            <ItemName><xsl:value-of select="name"/></ItemName>
            <Quantity><xsl:value-of select="normalize-space(count)"/></Quantity>
          </Item>
        </xsl:for-each>
      </Items>
    </Request>
  </xsl:template>
</xsl:stylesheet>
