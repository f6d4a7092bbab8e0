<?xml version="1.0" encoding="UTF-8"?>
<!-- Its words: sqdh 申请单号, zt 状态, xm 姓名, xb 性别, jzh 就诊号, bgdh 报告单号, jcsj 检查所见, sfdh 收费单号, tfdh 退费单号, wjzid 危急值 ... -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="gateway:facades/request-header-body/words.xsl"/>
  <xsl:variable name="words">
    <word theirs="head">Header</word> <word theirs="msgid">MessageId</word> <word theirs="fssj">SendTime</word> <word theirs="body">Body</word>
    <word theirs="sqdh">RequisitionNo</word> <word theirs="sqds">Requisitions</word> <word theirs="sqd">Requisition</word>
    <word theirs="zt">Event</word> <word theirs="sj">OccurredAt</word> <word theirs="jch">AccessionNo</word> <word theirs="yy">Reason</word>
    <word theirs="brxx">Patient</word> <word theirs="brid">PatientId</word> <word theirs="xm">PatientName</word> <word theirs="xb">SexCode</word>
    <word theirs="jzxx">Visit</word> <word theirs="jzlx">VisitType</word> <word theirs="jzh">VisitNo</word> <word theirs="bgdh">ReportNo</word>
    <word theirs="bgbb">ReportVersion</word> <word theirs="cz">Action</word> <word theirs="bglx">ReportType</word> <word theirs="jcsj">Findings</word>
    <word theirs="jcjl">Impression</word> <word theirs="sblx">Modality</word> <word theirs="yxdz">ViewerUrl</word>
    <word theirs="bgysdm">ReporterCode</word> <word theirs="bgys">ReporterName</word> <word theirs="bgsj">ReportedAt</word>
    <word theirs="shysdm">AuditorCode</word> <word theirs="shys">AuditorName</word> <word theirs="shsj">AuditedAt</word>
    <word theirs="sfdh">ChargeNo</word> <word theirs="sfd">ChargePoint</word> <word theirs="zxks">PerformDeptCode</word>
    <word theirs="mxs">Lines</word> <word theirs="mx">Line</word> <word theirs="xh">LineNo</word> <word theirs="sfdm">ChargeCode</word>
    <word theirs="mc">ItemName</word> <word theirs="sl">Quantity</word> <word theirs="dj">UnitPrice</word> <word theirs="ysje">ListAmount</word>
    <word theirs="ssje">ActualAmount</word> <word theirs="tfdh">RefundNo</word> <word theirs="ysfdh">OriginalChargeNo</word>
    <word theirs="tffs">Initiator</word> <word theirs="tfyy">ReasonCode</word> <word theirs="yxh">OriginalLineNo</word>
    <word theirs="tfsl">RefundQuantity</word> <word theirs="wjzid">CriticalId</word> <word theirs="wjzly">SourceType</word>
    <word theirs="nr">Content</word> <word theirs="fxsj">FoundAt</word> <word theirs="fw">Scope</word> <word theirs="hyz">IncludeOrders</word>
    <word theirs="fhfs">ReturnMode</word> <word theirs="mdi">Purpose</word>
  </xsl:variable>
</xsl:stylesheet>
